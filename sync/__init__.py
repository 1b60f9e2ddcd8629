"""When things happened: clocks, how they are estimated, and how samples are joined."""
