"""The functional core: what is true, what may be asked, what follows."""
