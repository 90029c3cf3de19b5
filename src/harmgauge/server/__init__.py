"""`harmgauge serve`: a gauge behind HTTP. Needs the extra `serve`."""
