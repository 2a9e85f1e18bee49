dtrace -xerrtags -qs bit-fields-signed.d
