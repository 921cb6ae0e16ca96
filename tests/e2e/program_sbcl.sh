#!/bin/bash
# sbcl maps its image at fixed addresses, finds written pages by write protection and SIGSEGV, stops its threads by signals
# to collect, and knows the end of its stack by a guard page: with less local memory than its heap all of that is as natively.
. "$(dirname "$0")/functions.sh"
requires sbcl
cat >program.lisp <<'END'
(defvar *table* (make-hash-table))
(dotimes (i 60000) (setf (gethash i *table*) (list i (format nil "~a" i))))
(gc :full t)
(format t "~a entries~%" (hash-table-count *table*))
(defun deep (n) (1+ (deep (1+ n))))
(dotimes (i 2)
  (handler-case (deep 0) (storage-condition () (format t "the stack is full~%"))))
(handler-case (format t "~a~%" (sb-sys:sap-ref-64 (sb-sys:int-sap 8) 0))
  (sb-sys:memory-fault-error () (format t "nothing at 8~%")))
(handler-case (format t "~a~%" (/ 1 (- (random 1) 0))) (division-by-zero () (format t "division by zero~%")))
(let ((threads (loop for i below 6 collect
                 (let ((i i))
                   (sb-thread:make-thread
                     (lambda () (let (l) (dotimes (j 40000) (push (cons i j) l)) (reduce #'+ l :key #'cdr))))))))
  (format t "~a~%" (mapcar #'sb-thread:join-thread threads)))
(handler-case (sb-ext:with-timeout 0.1 (loop)) (sb-ext:timeout () (format t "in time~%")))
(format t "~a~%" (sb-ext:process-exit-code (sb-ext:run-program "/bin/sh" '("-c" "exit 3"))))
(sb-ext:exit :code 5)
END
# What it tells of faults on stderr has addresses and pids in it
same_as_native 8M sh -c 'exec sbcl --noinform --no-sysinit --no-userinit --non-interactive --load program.lisp 2>/dev/null'
has_line "$tmp/rack.out" '^in time$' || fail "it did not come to its end"
passed
