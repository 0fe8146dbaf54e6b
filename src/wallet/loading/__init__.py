"""How certificates come in at the scale of a city: loads of many, registers that push, registers that are asked."""
