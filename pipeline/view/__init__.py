"""The page of a result on this computer, with editing."""
