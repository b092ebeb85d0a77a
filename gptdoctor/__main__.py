"""`python -m gptdoctor` is the command `gptdoctor`."""

from gptdoctor.cli.main import main

if __name__ == "__main__":
    main()
