"""What the commands of ``python -m skmmm`` are made of."""
