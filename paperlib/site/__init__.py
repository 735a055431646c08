"""The static site: the executed pages, the scoreboard as the front page, the API. `make site` builds it.

Nothing is executed and nothing is fetched: the site shows what is committed, and works from any file server.
"""
