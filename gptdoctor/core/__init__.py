"""The shared nouns of gptdoctor; standard library only."""
