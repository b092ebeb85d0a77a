"""The codemod of each defect, in the file of the same name; loaded by repair alone."""
