"""Experience: columns of what agents saw, did and earned, and the targets computed from them."""
