"""`clipsearch switch`: makes another model current, without a gap in the answers, and back.

options    the options, checked
switch     coverage, quality gate, the switch itself, and the way back
captions   both models on a person's captions
agreement  how much of the best 20 both models have in common
texts      the texts that agreement asks for
"""
