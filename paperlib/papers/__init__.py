"""One module a paper: which runs its artefacts need, and the numbers made of them."""
