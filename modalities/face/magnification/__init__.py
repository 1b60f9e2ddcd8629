"""Motion magnification: small movements of a face made large enough to see, for eyes and for descriptors."""
