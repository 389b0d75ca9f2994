"""Methods of the online and the self mode: how networks teach each other, or themselves."""
