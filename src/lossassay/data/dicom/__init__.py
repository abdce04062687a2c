"""DICOM: trees of files to rows (`scan`), and one row to pixels (`read`)."""
