"""`python -m unlearned`: the command."""

from unlearned.cli.main import main

if __name__ == "__main__":
    main()
