"""One package a paper: which runs its artefacts need (`plan`), and the numbers made of them (`study` and its parts)."""

# paper -> tracks that have what it learns; here, because to import a paper is to import torch
TRACKS_OF: dict[str, tuple[str, ...]] = {
    "foteinopoulou2021": ("twin", "ferplus", "affectnet", "amigos", "manifest"),
    "le2023": ("twin", "ferplus", "affectnet", "rafdb", "sfew", "manifest"),
    "neo2023": ("twin", "ferplus", "affectnet", "affwild", "morphset", "manifest"),
    "han2017": ("twin", "sewa", "recordings"),
    "toisoul2021": ("twin", "ferplus", "affectnet", "afewva", "manifest"),
    "same_faces": ("twin", "ferplus"),
}
