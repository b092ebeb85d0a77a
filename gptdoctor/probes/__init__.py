"""One file, one probe: a specimen goes in, a measurement comes out."""
