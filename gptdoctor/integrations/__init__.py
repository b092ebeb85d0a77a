"""gptdoctor inside other programs: Python code, notebooks, tests."""
