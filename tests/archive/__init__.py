"""What ``el-archive`` does, command by command, on the real parts."""
