"""Well-formedness of modules (being written)."""


def well_formed(mod):
    """Checks nothing yet."""
