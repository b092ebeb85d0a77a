"""ONE FILE = ONE DEFECT, in the folder of its family."""
