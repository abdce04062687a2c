"""NIfTI files: listed (`scan`), judged by their headers (`header`), read (`read`), laid as DICOM lies (`planes`)."""
