"""The virtual data centre: QEMU machines on a switch of their own, with the appliance beside them.

``lab.Lab`` runs one; ``command`` is what ``qrm lab`` offers. Outside (the user's side) are ``command``, ``lab``,
``check``; inside the namespaces, as their first process, runs ``inside`` with the machines and the daemon.
"""
