"""What happens inside a detector while it learns, seen from outside: assignments, gradients, boxes, infinities."""
