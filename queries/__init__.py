"""The hand-written queries, one folder a dialect; a package, so that wheels and editable installs find them."""
