"""The suppression list: identifiers that must never be sent to TikTok again, whichever pipeline would send them.

Every file that brings such identifiers is a *source*, and is kept as packed raw digests: 16 or 32 bytes each, one after
the other, never as text. What is asked is a *filter*, one for each *space* of identifiers, built from all sources of
that space; it never lets a suppressed identifier through, and stops a few others at a stated rate. A *manifest* says
which sources and filters count. This room is pure and knows no pipeline; ``lambdas.aws.suppression_store`` keeps all
three in S3.
"""
