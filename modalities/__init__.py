"""What each channel says: readers of files and one encoder per channel."""
