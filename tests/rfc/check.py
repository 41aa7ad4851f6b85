print("rfc: nothing to check yet")
