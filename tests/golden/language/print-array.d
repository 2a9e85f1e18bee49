int arr[4];
BEGIN { arr[1] = 5; print(arr); print(&arr); exit(0); }
