"""Sharing trained models on the Hugging Face Hub; needs the optional package ``huggingface-hub``."""
