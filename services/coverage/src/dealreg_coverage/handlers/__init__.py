"""What happens on each event, request and tick. One use case, one file."""
