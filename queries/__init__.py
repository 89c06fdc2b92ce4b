"""The hand-written queries, one folder per dialect; a package, so that wheels and editable installs find them."""
