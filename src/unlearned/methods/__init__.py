"""Methods that change weights, one short file each; `train.py` runs any of them."""
