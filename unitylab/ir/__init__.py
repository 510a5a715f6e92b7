"""The intermediate representation: what programs are made of."""
