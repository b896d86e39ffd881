"""Run by the original's interpreter: its ``mlagents-learn``.

Its export expects the exporter that current PyTorch no longer uses by default.
"""

import torch.onnx

_export = torch.onnx.export


def _export_as_before(*args, **kwargs):
    kwargs.setdefault("dynamo", False)
    return _export(*args, **kwargs)


if __name__ == "__main__":
    torch.onnx.export = _export_as_before
    from mlagents.trainers.learn import main

    main()
