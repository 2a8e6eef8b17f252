"""Rules of subscriptions: which messages a subscription takes, and what it changes on its copies.

`model` is what a rule says, `compile.compile_rule` makes of it what runs for every message, `view` is what a message
shows to a rule. Where rules are kept and how messages fan out is not decided here.
"""
