"""Messages: each move, deployment, violation and service alert goes to the channels whose routes match it."""
