"""The catalogue as linked data: nodes are made by a profile (`dcat`, `ukmodel`) and written by `writing`."""
