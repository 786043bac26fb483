# A shell in the guest has what tests have.
export PYTHONPATH=/opt/qrm-python:/qrm PYTHONPYCACHEPREFIX=/run/qrm-pycache
