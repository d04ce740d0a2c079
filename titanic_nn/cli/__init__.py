"""The commands, a file each: the only code that parses arguments, prints and exits."""
