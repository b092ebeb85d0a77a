"""Running a stranger's code safely, in a process of its own."""
