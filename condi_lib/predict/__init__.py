"""The command ``predict``: classify videos with a teacher that sees few of their clips.

``options`` is what can be asked for, ``models`` finds networks and a policy, ``run`` goes through
the videos, ``report`` says what was found, ``files`` writes it so that no file is ever half there.
"""
