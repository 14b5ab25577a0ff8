"""The path of a message, top to bottom:

web           routes, pages, errors → responses, health
ingest        identity → customer; written down once; acknowledged
worker        claims a customer, renews the lease, runs turns
turn          the story: who answers, ask, compose, commit. Start reading here
conversation  the rules, pure
bot           the only door to Rasa: answer, silence and failure are three things
feed          the journal as live channels see it
store         everything in Redis
text          every sentence that the router itself says
"""
