"""SMS through HTTP APIs in the shapes of the two large Chinese clouds: signing, answers, callbacks."""
