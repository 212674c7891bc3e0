"""Entity substitution: the words that identify a subject become a stranger's, and the user's again in the answer.

A model that never saw a name treats it as any other name that it never saw. So the original model, asked about a
stranger, answers as a model without the knowledge would about the subject, up to the spelling. See docs/strength.md.
"""
