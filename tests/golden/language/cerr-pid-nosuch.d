pid99999999:::entry { }
