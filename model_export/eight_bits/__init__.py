"""What lets matrices keep their meaning in 8 bits.

Real CLIPs have a few channels 20 to 100 times larger than the rest. One scale for a whole tensor
then leaves few of its 256 steps to the others. Two remedies, both chosen on samples:

* `folds`, `smooth`: channels are shifted and scaled to similar ranges, and the weights take it
  back (SmoothQuant, arXiv:2211.10438; the shift is from Outlier Suppression+, arXiv:2304.09145).
* `exact`: the fewest matrices stay in fp32 that bring the noise of a tower under a bound.

`samples` and `activations` run the tower; `recipe` puts all of it together.
"""
