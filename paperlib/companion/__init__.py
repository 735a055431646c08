"""What turns trained networks into a page: plans, runs, samples, scores, tables, published numbers and their audit."""
