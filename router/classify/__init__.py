"""What does the customer want, and how sure is that: intents of contacts, a batch at a time.

`model` is the way in. Pure: no client library, no clock; scikit-learn only while training.
"""
