//! Panel: keys and Status in, a picture and Commands out.
