"""Anything a stranger may hand to dreamreel, tried in numbers: it renders, or says in words what is wrong."""
