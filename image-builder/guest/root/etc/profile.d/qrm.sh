# A shell in the guest has what tests have.
export QRM_GUEST=1 PYTHONPATH=/opt/qrm-python:/qrm PYTHONPYCACHEPREFIX=/run/qrm-pycache
